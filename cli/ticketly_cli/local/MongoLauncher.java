import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.net.InetSocketAddress;
import java.util.List;

/**
 * Serves the MongoDB protocol on the loopback interface: {@code MongoLauncher PORT [FILE]}. With FILE the data
 * survives a restart.
 */
public final class MongoLauncher {

    /** Drivers insist on wire version 9; the library's own newest version reports 8. */
    private static final class Announced implements MongoVersion {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(4, 4, 0);
        }

        @Override
        public int getWireVersion() {
            return 9;
        }
    }

    private MongoLauncher() {}

    public static void main(String[] arguments) throws Exception {
        MongoBackend backend = arguments.length > 1
                ? new H2Backend(arguments[1]).version(new Announced())
                : new MemoryBackend().version(new Announced());
        MongoServer server = new MongoServer(backend);
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
        server.bind(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])));
        System.out.println("ready");
        Thread.currentThread().join();
    }
}
